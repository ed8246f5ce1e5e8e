-- How much of what they may carry the trucks of each fleet and model carry on the mean.
with models (product, load_capacity, nominal_fuel_consumption) as (values {models}),
loads as (
    select device_full, avg(value) as load
    from silver.readings
    where metric = 'current_load'
    group by device_full
)
select d.zone, d.product, m.load_capacity, avg(s.load / m.load_capacity) as share
from loads s
join dim.devices d on d.device_full = s.device_full and d.valid_to is null
join models m on m.product = d.product
group by d.zone, d.product, m.load_capacity
