select t.name, t.driver, d.current_load
from tags t
join lateral (
    select current_load from diagnostics d
    where d.tags_id = t.id and current_load is not null
    order by time desc
    limit 1
) d on true
where t.fleet = '{fleet}' and d.current_load / t.load_capacity > 0.9
