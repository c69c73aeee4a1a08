-- What the current master secret is known again by, so that no server goes on with another one. No secret, and from no log: tables
-- that are built anew take the secret that is there then.
create table secret_check (
    one bigint not null primary key check (one = 1),
    number bigint not null,
    check_value blob not null
);
