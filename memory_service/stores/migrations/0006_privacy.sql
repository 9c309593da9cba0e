-- What is older than a tenant wants to keep is looked for by its time.

create index interaction_of_tenant on interaction (tenant, create_time);
create index fact_of_tenant on fact (tenant, greatest(update_time, confirm_time));
create index document_of_tenant on document (tenant, create_time);
