-- What was sold of each product
-- owner: web-team
select p.product, sum(o.quantity) as pieces, sum(o.total) as revenue
from orders o
join products p on p.sku = o.sku
group by p.product
order by revenue desc, p.product
