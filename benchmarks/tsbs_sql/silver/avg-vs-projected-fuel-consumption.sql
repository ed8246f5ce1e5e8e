-- The mean fuel consumption of each fleet's trucks while they drove, and what their models should need.
with models (product, load_capacity, nominal_fuel_consumption) as (values {models}),
driving as (
    select device_full, seq,
        max(case when metric = 'fuel_consumption' then value end) as fuel_consumption
    from silver.readings
    where metric in ('velocity', 'fuel_consumption')
    group by device_full, boot, seq
    having max(case when metric = 'velocity' then value end) > 1
)
select d.zone, avg(s.fuel_consumption) as consumption,
    avg(m.nominal_fuel_consumption) as projected
from driving s
join dim.devices d on d.device_full = s.device_full and d.valid_to is null
join models m on m.product = d.product
group by d.zone
