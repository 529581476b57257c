-- How many customers live where, and how many take the newsletter
select country, city, count(*) as customers, count(*) filter (where newsletter = 'ja') as newsletter
from customers
group by country, city
order by customers desc, city
