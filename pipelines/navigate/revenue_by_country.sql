-- Revenue and orders by the customer's country
-- owner: web-team
select c.country, sum(o.total) as revenue, count(*) as orders, count(distinct o.customer_id) as customers
from orders o
join customers c on c.customer_id = o.customer_id
group by c.country
order by revenue desc
