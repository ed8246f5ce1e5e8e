with hours as (
    select
        tenant,
        device_full,
        product,
        metric,
        cast(pmod(unix_seconds(window_start) div 3600 + 72, 168) as int) as slot,
        mean,
        coalesce(stddev, 0.0) as stddev
    from gold.device_hour
    where window_start >= :start
        and window_start < :end
        and mean is not null
),
gathered as (
    select
        tenant,
        device_full,
        product,
        metric,
        slot,
        array_sort(collect_list(mean)) as means,
        array_sort(collect_list(stddev)) as stddevs,
        cast(count(*) as int) as weeks
    from hours
    group by all
),
middles as (
    select
        *,
        (means[(weeks - 1) div 2] + means[weeks div 2]) / 2 as median,
        (stddevs[(weeks - 1) div 2] + stddevs[weeks div 2]) / 2 as within
    from gathered
),
distances as (
    select *, array_sort(transform(means, each -> abs(each - median))) as away from middles
),
measured as (
    select *, (away[(weeks - 1) div 2] + away[weeks div 2]) / 2 as mad from distances
)
select
    to_date(:end) as version,
    tenant,
    device_full,
    product,
    metric,
    slot,
    weeks,
    median,
    mad,
    sqrt(within * within + 1.4826 * 1.4826 * mad * mad) as spread
from measured
