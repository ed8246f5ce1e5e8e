with present as (
    select
        days.tenant,
        days.window_start,
        coalesce(history.zone, '') as zone,
        days.product,
        days.metric,
        count(distinct days.device_full) as devices
    from gold.device_day as days
    left join dim.devices as history
        on history.tenant = days.tenant
        and history.device_full = days.device_full
        and history.valid_from < days.window_end
        and coalesce(history.valid_to > days.window_start, true)
    where days.window_start >= :start
        and days.window_start < :end
        and days.count > 0
    group by all
),
zones as (
    select
        tenant, window_start, zone, product, metric,
        sum(count) as count,
        sum(sum) as sum,
        min(min) as min,
        max(max) as max,
        sum(mean * count) / sum(case when mean is not null then count end) as mean
    from gold.zone_day
    where window_start >= :start and window_start < :end
    group by tenant, window_start, zone, product, metric
),
spread as (
    select
        tenant, window_start, zone, product, metric,
        sum(days.m2 + days.count * power(days.mean - zones.mean, 2)) as m2
    from gold.zone_day as days
    join zones using (tenant, window_start, zone, product, metric)
    where window_start >= :start and window_start < :end
    group by tenant, window_start, zone, product, metric
)
select
    tenant,
    window_start,
    zone,
    product,
    metric,
    coalesce(present.devices, 0) as devices,
    count,
    sum,
    min,
    max,
    mean,
    case when count > 1 then sqrt(m2 / (count - 1)) end as stddev,
    trunc(to_date(window_start), 'MM') as window_period
from zones
join spread using (tenant, window_start, zone, product, metric)
left join present using (tenant, window_start, zone, product, metric)
