with states as (
    select date_bin('10 minutes', time, '2000-01-01') as ten_minutes, tags_id,
        count(*) filter (where status <> 0) >= 0.5 * count(status) as is_broken
    from diagnostics
    group by ten_minutes, tags_id
    having count(status) > 0
),
steps as (
    select tags_id, is_broken,
        lead(is_broken) over (partition by tags_id order by ten_minutes) as breaks
    from states
)
select lower(t.model), count(*)
from tags t
join steps b on t.id = b.tags_id
where not is_broken and breaks
group by t.model
