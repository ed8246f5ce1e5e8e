-- Trucks of a fleet whose mean velocity in ten minutes was below 1.
select d.device, d.customer
from (
    select device_full
    from gold.device_five_minutes
    where metric = 'velocity'
        and window_start >= timestamp '{since}' and window_start < timestamp '{until}'
    group by device_full
    having sum("sum") / sum("count") < 1
) l
join dim.devices d on d.device_full = l.device_full and d.valid_to is null
where d.zone = '{fleet}'
