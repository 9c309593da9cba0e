-- Who said a turn, and where it came from if the user did not say it.

alter table interaction add column speaker text not null default '';
alter table interaction add column origin text not null default 'USER';
alter table interaction add column source text not null default '';
alter table interaction add constraint interaction_origin check (origin in ('USER', 'AGENT', 'TOOL', 'DOCUMENT')) not valid;
create index interaction_of_source on interaction (tenant, source) where source <> '';
