select t.name, t.driver, r.longitude, r.latitude
from tags t
join lateral (
    select longitude, latitude from readings r
    where r.tags_id = t.id and longitude is not null and latitude is not null
    order by time desc
    limit 1
) r on true
where t.fleet = '{fleet}'
