-- With which regions the tables were founded: where they are, and who is home to which identifiers. From no log, and never another,
-- since it decides which events count. Tables that are built anew take what the settings say then.
create table regions_check (
    one bigint not null primary key check (one = 1),
    here bigint not null,
    regions text not null
);
