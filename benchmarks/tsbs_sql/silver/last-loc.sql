-- The newest known place of each truck of a fleet, with its driver.
select d.device, d.customer, l.lng, l.lat
from (
    select device_full, max_by(lng, event_time_us) as lng, max_by(lat, event_time_us) as lat
    from silver.readings
    where zone = '{fleet}' and lng is not null and lat is not null
    group by device_full
) l
join dim.devices d on d.device_full = l.device_full and d.valid_to is null
