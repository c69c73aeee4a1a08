-- Up to where this device has seen the account's history, stream by stream, and the hash of the chain there.
create table account_history_heads (
    topic text not null,
    stream text not null,
    version integer not null,
    hash blob not null,
    primary key (topic, stream)
) strict, without rowid;
