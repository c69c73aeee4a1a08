-- What the loop in the background looks for every few seconds, found without reading whole tables.

-- Identifiers that came with what founds their box: hints, which the sweeper deletes once the box is founded.
create table founding_hints (
    identifier_hash text not null primary key
);
insert into founding_hints (identifier_hash)
select i.identifier_hash from identifiers i where i.founding_device is not null
and not exists (select 1 from founded f where f.box_id = i.box_id)
and not exists (select 1 from closed d where d.box_id = i.box_id);

create index claims_open on claims (effective_at, claim_id) where state = 'open';
create index key_boxes_half_closed on key_boxes (closing_at) where is_closing = 1 and is_closed = 0;
