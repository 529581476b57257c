-- What customers write about, and how many of them have bought for more than 1,000 kr.
-- owner: support
with spending as (
    select customer_id, sum(total) as spent from orders group by customer_id
)
select t.topic, count(*) as tickets, count(*) filter (where s.spent > 1000) as from_big_customers
from tickets t
left join spending s on s.customer_id = t.customer_id
group by t.topic
order by tickets desc
