-- What devices that are about to be linked leave for each other: sealed, and forgotten after minutes.
create table rendezvous (
    rendezvous_id bytea not null,
    content_hash bytea not null,
    sealed bytea not null,
    expires_at bigint not null,
    primary key (rendezvous_id, content_hash)
);
create index rendezvous_by_expiry on rendezvous (expires_at);
