with totals as (
    select
        tenant, window_start, product, metric,
        count(distinct device_full) filter (where count > 0) as devices,
        sum(count) as count,
        sum(sum) as sum,
        min(min) as min,
        max(max) as max,
        sum(mean * count) / sum(case when mean is not null then count end) as mean
    from gold.device_day
    where window_start >= :start and window_start < :end
    group by tenant, window_start, product, metric
),
spread as (
    select
        tenant, window_start, product, metric,
        sum(days.m2 + days.count * power(days.mean - totals.mean, 2)) as m2
    from gold.device_day as days
    join totals using (tenant, window_start, product, metric)
    where window_start >= :start and window_start < :end
    group by tenant, window_start, product, metric
)
select
    tenant,
    window_start,
    product,
    metric,
    devices,
    count,
    sum,
    min,
    max,
    mean,
    case when count > 1 then sqrt(m2 / (count - 1)) end as stddev,
    trunc(to_date(window_start), 'MM') as window_period
from totals
join spread using (tenant, window_start, product, metric)
