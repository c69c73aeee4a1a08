-- How many octets each box has uploaded in a day. It comes from no log, says nothing of the blobs, and goes with the day.
create table uploaded (
    box_id bytea not null,
    day text not null,
    octets bigint not null,
    primary key (box_id, day)
);
