select t.name, t.driver, d.fuel_state
from tags t
join lateral (
    select fuel_state from diagnostics d
    where d.tags_id = t.id and fuel_state is not null
    order by time desc
    limit 1
) d on true
where t.fleet = '{fleet}' and d.fuel_state < 0.1
