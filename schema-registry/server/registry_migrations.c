/* registry_migrations.c - the tables of the registry; a change is a new entry at the end, never an edit. */
#include "schema-registry/server/registry_migrations.h"

#include "lib/base/memory.h"

/*
 * Ids come from one sequence for each context: it neither waits for other transactions nor gives a number twice. A
 * number that was drawn for a registration which then failed is lost, which is harmless.
 */
static const char initial[] =
	"CREATE TABLE context ("
	"  number integer GENERATED ALWAYS AS IDENTITY,"
	"  name text PRIMARY KEY);"
	"CREATE FUNCTION add_context(new_name text) RETURNS void LANGUAGE plpgsql AS $$"
	" DECLARE new_number integer;"
	" BEGIN"
	"  INSERT INTO context (name) VALUES (new_name) ON CONFLICT DO NOTHING RETURNING number INTO new_number;"
	"  IF new_number IS NOT NULL THEN"
	"   EXECUTE format('CREATE SEQUENCE schema_id_%s AS integer', new_number);"
	"  END IF;"
	" END $$;"
	"CREATE FUNCTION context_sequence(context_name text) RETURNS regclass LANGUAGE sql STABLE AS $$"
	"  SELECT ('schema_id_' || number)::regclass FROM context WHERE name = context_name $$;"
	"SELECT add_context('.');"
	"CREATE TABLE schema ("
	"  context text NOT NULL REFERENCES context,"
	"  id integer NOT NULL CHECK (id > 0),"
	"  identity bytea NOT NULL CHECK (length(identity) = 32),"
	"  format text NOT NULL,"
	"  body text NOT NULL,"
	"  metadata text,"
	"  rule_set text,"
	"  created_at timestamptz NOT NULL DEFAULT now(),"
	"  PRIMARY KEY (context, id),"
	"  UNIQUE (context, identity));"
	"CREATE TABLE schema_reference ("
	"  context text NOT NULL,"
	"  schema_id integer NOT NULL,"
	"  position integer NOT NULL,"
	"  name text NOT NULL,"
	"  target_context text NOT NULL,"
	"  target_subject text NOT NULL,"
	"  target_version integer NOT NULL,"
	"  PRIMARY KEY (context, schema_id, position),"
	"  FOREIGN KEY (context, schema_id) REFERENCES schema ON DELETE CASCADE);"
	"CREATE INDEX schema_reference_target ON schema_reference (target_context, target_subject, target_version);"
	"CREATE TABLE subject_version ("
	"  context text NOT NULL,"
	"  subject text NOT NULL,"
	"  version integer NOT NULL CHECK (version > 0),"
	"  schema_id integer NOT NULL,"
	"  is_deleted boolean NOT NULL DEFAULT false,"
	"  created_at timestamptz NOT NULL DEFAULT now(),"
	"  PRIMARY KEY (context, subject, version),"
	"  FOREIGN KEY (context, schema_id) REFERENCES schema);"
	"CREATE INDEX subject_version_schema ON subject_version (context, schema_id);"
	/* subject '': the context as a whole; its context '.': everything */
	"CREATE TABLE setting ("
	"  context text NOT NULL,"
	"  subject text NOT NULL,"
	"  level text,"
	"  mode text,"
	"  PRIMARY KEY (context, subject));";

/*
 * What else can be set for a subject (subject_config.h) is one JSON object. Every change of one raises the number, so that
 * an instance sees at little cost whether what it has read is still all there is.
 */
static const char config[] = "ALTER TABLE setting ADD COLUMN config text;"
			     "CREATE TABLE config_revision (number bigint NOT NULL);"
			     "INSERT INTO config_revision VALUES (0);";

static const struct pg_migration migrations[] = {
	{"0001_initial", initial},
	{"0002_config", config},
};

const struct pg_migration *registry_migrations(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(migrations);
	return migrations;
}
