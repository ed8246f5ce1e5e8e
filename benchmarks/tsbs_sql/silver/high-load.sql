-- Trucks of a fleet whose newest known load is above nine tenths of what their model may carry.
with models (product, load_capacity, nominal_fuel_consumption) as (values {models})
select d.device, d.customer, l.current_load
from (
    select device_full, max_by(value, event_time_us) as current_load
    from silver.readings
    where metric = 'current_load' and zone = '{fleet}'
    group by device_full
) l
join dim.devices d on d.device_full = l.device_full and d.valid_to is null
join models m on m.product = d.product
where l.current_load / m.load_capacity > 0.9e0
