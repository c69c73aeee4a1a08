-- Messages of which somebody may have been the last to wait: hints for the sweeper, which looks at those alone. Append-only,
-- so that none is lost beside a sweep; an entry without a message is for all of a box's.
create table sweep_hints (
    id integer primary key autoincrement,
    box_id blob not null,
    outer_id blob,
    content_hash blob
);
insert into sweep_hints (box_id) select distinct box_id from enqueued where value is not null;

-- What the queues hold, and whose profiles are to go, without reading all rows.
create index enqueued_with_body on enqueued (expires_at) where value is not null;
create index profile_boxes_closed on profile_boxes (box_id) where state = 'closed';
