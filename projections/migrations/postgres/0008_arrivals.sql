-- What a batch brought, for the devices that are connected.
create index enqueued_by_place on enqueued (region, partition, record_offset);
-- With the device at its end it answers by itself for which devices a message waits.
drop index owed_by_message;
create index owed_by_message on owed (box_id, outer_id, content_hash, device_id);
