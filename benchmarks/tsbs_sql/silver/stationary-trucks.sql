-- Trucks of a fleet whose mean velocity in ten minutes was below 1.
select d.device, d.customer
from (
    select device_full
    from silver.readings
    where metric = 'velocity' and zone = '{fleet}' and event_date = date '{date}'
        and event_time_us >= {start} and event_time_us < {end}
    group by device_full
    having avg(value) < 1
) l
join dim.devices d on d.device_full = l.device_full and d.valid_to is null
