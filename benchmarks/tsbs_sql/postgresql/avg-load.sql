select t.fleet, lower(t.model), t.load_capacity, avg(d.load / t.load_capacity)
from tags t
join (
    select tags_id, avg(current_load) as load from diagnostics group by tags_id
) d on t.id = d.tags_id
group by t.fleet, t.model, t.load_capacity
