-- What waits for a device is read in its order, page by page, and what it has confirmed is not read again and again: the sweeper
-- deletes it.
delete from owed where exists (
    select 1 from acknowledged a where a.box_id = owed.box_id and a.device_id = owed.device_id
    and a.outer_id = owed.outer_id and a.content_hash = owed.content_hash
);
delete from owed where exists (
    select 1 from removed r where r.box_id = owed.box_id and r.device_id = owed.device_id
);
-- The message's; known of all that have one.
alter table owed add column accepted_at bigint not null default 0;
update owed set accepted_at = coalesce((
    select e.accepted_at from enqueued e where e.box_id = owed.box_id and e.outer_id = owed.outer_id
    and e.content_hash = owed.content_hash
), 0);
create index owed_in_order on owed (box_id, device_id, accepted_at, outer_id, content_hash);
-- How much waits in a box.
create index enqueued_waiting on enqueued (box_id) where value is not null;
