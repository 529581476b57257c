"""SELECTs over the tables of tests/lineage/queries.py with what generated ones rarely or never have."""

QUERIES = """
select name from customers order by (select max(total) from orders o where o.customer_id = customers.id) limit 3
select country, count(*) as n from orders group by country having count(*) > (select min(quantity) from lines)
select (select max(age) from customers) as oldest, country from orders group by 1, 2
select name from customers limit (select min(quantity) from lines)
select name from customers qualify row_number() over (order by id) <= (select max(quantity) from lines)
select c.name, o.note from customers c join orders o on o.customer_id = c.id and o.total > (select avg(price) from lines)
select * from (values ((select max(name) from customers), 1)) t(a, b)
select case when exists (select 1 from lines l where l.order_id = o.id) then note else country end as x from orders o
select max(name) filter (where id in (select customer_id from orders)) as x from customers
select sum(total) over (partition by country order by ordered_at rows between 1 preceding and current row) as s, id from orders
select sum(id) over (order by total range between age preceding and current row) as s from (select o.id, o.total, 1 as age from orders o)
select list(o order by o.id) as l, o.country from orders o group by all
select list(o)[1].note as first_note from orders o group by country
select unnest(list(o)).note as note from orders o
select x.note from (select unnest(list(o order by o.id)) as x from orders o)
select (select o from orders o where o.customer_id = c.id order by o.id limit 1).note as note from customers c
select to_json(c) as j, to_json(list(o)) as k from customers c join orders o on o.customer_id = c.id group by c
select json_extract_string(to_json(c), '$.address.city') as city, to_json(c)->'address'->>'street' as street from customers c
select address.city, (address).street as s, address['city'] as t from customers
select unnest(address), id from customers
select {'a': address, 'b': name}.a.city as city from customers
select [a.city for a in [address, {'street': name, 'city': email}]] as cities from customers
select list_transform(tags, lambda t, i: t || i::varchar || name) as x from customers
select list_filter(tags, lambda t: t > (email)) as x, len(list_filter(tags, lambda t: t = 'a1')) as n from customers
select list_transform(tags, lambda t: list_transform([name], lambda n: n || t)) as x from customers
select list_reduce(tags, lambda a, b: a || b || country) as x from customers where len(tags) > 0
select list_zip(tags, [name]) as z from customers
select map {name: id} as m, map_keys(map([email], [age])) as k from customers where name is not null and email is not null
select columns(lambda c: c <> 'total') from email
select columns('^(id|name)$') || '!' from (select name, country as id from customers)
select min(columns(* exclude (tags, address))) from customers
select * exclude (tags) replace (upper(email) as email) rename (name as who) from customers
select c.* exclude (id), o.id from customers c, orders o where c.id = o.customer_id
select #2 as b, #1 as a from (select id, name from customers)
select o.country, count(distinct o.note) as n, max(o.total) as m from orders o group by cube (o.country, o.note)
select grouping(country, note) as g, country, note, sum(total) as t from orders group by grouping sets ((country), (note), ())
pivot orders on country in ('DK', 'SE') using sum(total) as t, max(note) as n group by customer_id
pivot (select country, note, total from orders) on country in ('DK', 'SE', 'no', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's') using sum(total) group by note
from (select id, name, email from customers) unpivot (v for k in (name as 'n', email as 'e')) select v, k, id
unpivot (select id, age, name, email from customers) on (name, email) as both into name k value v, w
with recursive up(id, path) as (select id, name from customers union all select o.customer_id, up.path || o.note from up join orders o on o.id = up.id where length(path) < 80) select path from up
with recursive a(x, n) as (select name, 1 from customers union select x, n + 1 from a where n < (select max(quantity) from lines)) select x, n from a
with a as (select * from customers), b as (select * from a), a as (select id from orders) select * from b
with customers as (select id, email as name from customers) select name from customers
select email.email, email.total from email
select email from email
select total from (select email as total from email) as email
select customers.name as orders, orders.note as customers from customers join orders on orders.customer_id = customers.id
select C.NAME, "c"."Email" as e from Customers as c
select id as x, x + 1 as y, y * age as z from customers
select upper(name) as name, name as name2 from customers
select name as country, count(*) as n from customers group by country, name
select id, name from customers where name in (select note from orders union select product from lines)
select name from customers where (id, country) in (select customer_id, country from orders)
select name from customers where id > all (select quantity from lines where quantity is not null)
select id, country from customers intersect select customer_id, country from orders
select id from customers except select customer_id from orders where total > 3
(select name as x, id from customers order by id limit 2) union all (select note, id from orders order by total limit 2)
select name, 1 as id from customers union by name select id, note as other from orders
select * from customers natural join (select id, note from orders)
select id, name, note from customers full join (select id, note from orders) using (id)
select c.name, o.total from customers c asof join orders o on c.country = o.country and c.id >= o.id
select * from orders semi join lines on lines.order_id = orders.id and lines.quantity > 1
select * from orders anti join lines on lines.order_id = orders.id and lines.price < orders.total
select c.name, l.product from customers c positional join lines l where l.quantity > 1
select c.name, t.note from customers c, lateral (select note from orders o where o.customer_id = c.id order by total limit 1) t
select c.name, t.n from customers c left join lateral (select count(*) as n from orders o where o.country = c.country) t on true
select c.name, u.tag from customers c, unnest(c.tags) u(tag) where u.tag <> c.name
select c.name, g.x from customers c cross join lateral (select unnest([c.email, c.country]) as x) g
select distinct on (country) country, name, age from customers order by country, age desc
select distinct country, age > 3 as old from customers
select string_agg(distinct country, '+' order by country) as c, first(name order by age, id) as f, last(name order by age) as l from customers
select arg_max(c, age) as oldest, arg_min(name, id, 2) as two, max(name, 2) as top from customers c
select quantile_cont(age, 0.5) as q, mode(country) as m, histogram(country) as h, approx_count_distinct(email) as d from customers
select corr(total, id) as c, regr_slope(total, customer_id) as r, count(*) filter (where total > 3) as n from orders
select coalesce(nullif(name, 'x'), email, 'none') as x, ifnull(country, name) as y, least(name, email) as z from customers
select name::varchar(3) as a, try_cast(name as integer) as b, cast(age as decimal(5, 1)) as c from customers
select concat(name, email), name || email, format('{} {}', name, email), printf('%s', country) from customers
select date_trunc('month', ordered_at) as m, ordered_at + interval 3 day as d, extract(day from ordered_at) as x from orders
select lag(note, 1, country) over w as a, nth_value(note, 2) over w as b, ntile(2) over w as c from orders window w as (partition by customer_id order by id)
select sum(total) over w1 as a, sum(total) over w2 as b from orders window w1 as (partition by country), w2 as (w1 order by id)
select first_value(note ignore nulls) over (partition by country order by id) as f, cume_dist() over (order by total) as d from orders
select sum(total) filter (where note is not null) over (partition by country) as s from orders
select list(note) over (partition by country order by id) as l, max(o) over (partition by country) as whole from orders o
with a as materialized (select country, sum(total) as t from orders group by 1), b as not materialized (select max(t) as m from a) select a.country, a.t / b.m as share from a, b
select s.country, s.t, (select count(*) from orders o where o.country = s.country) as n from (select country, sum(total) as t from orders group by 1) s
select hash(name) % 10 as h, md5(email) as m, length(country) as l from customers
select name[1:3] as a, name[2] as b, tags[1:2] as c, array_slice(tags, 1, age) as d from customers
select struct_pack(x := name, y := struct_pack(z := email)).y.z as z, row(id, age) as r from customers
select struct_insert(address, zip := age).zip as zip, struct_insert(address, zip := age).city as city from customers
select json_object('a', name, 'b', email)->>'a' as a, json_array(name, id) as b, json_extract(to_json(tags), '$[0]') as c from customers
select exists (select 1 from orders o where o.customer_id = c.id and o.total > 3) as has, c.id in (select customer_id from orders) as also from customers c
select a.name, b.name as other from customers a join customers b on a.country = b.country and a.id < b.id
select country, total, sum(total) over (partition by country) as all_of_it from orders where total > (select avg(o.total) from orders o where o.country = orders.country)
select count(*) as n from (select distinct country, note from orders where total > 1)
select count(*) as n, count(1) as m, count(note) as k, sum(1) as s from orders
select sum(case when country = 'DK' then total end) as dk, sum(if(note is null, total, 0)) as empty from orders
""".strip().splitlines()
