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
 * How often something changed, by a hash of the subject; shard 0: contexts as a whole. The row is the lock of who
 * changes a subject, and tells who read one whether that is still true. The default context always stays, so registrations
 * need not hold its row, all of them the same one, by a foreign key; others hold theirs by store_add_context().
 */
static const char change_counts[] = "CREATE TABLE change_count ("
				    "  shard integer PRIMARY KEY,"
				    "  changes bigint NOT NULL DEFAULT 0) WITH (fillfactor = 20);"
				    "INSERT INTO change_count (shard) SELECT generate_series(0, 255);"
				    "ALTER TABLE schema DROP CONSTRAINT schema_context_fkey;";

/* What else can be set for a subject is one JSON object, see subject_config.h. */
static const char config[] = "ALTER TABLE setting ADD COLUMN config text;";

/*
 * Ids that are free, wherever imports lie: a sequence that has come to its end begins anew, and what is taken there is passed
 * over up to the next gap. Whoever looks for a free id or raises the sequence has the lock of the context's ids, so that two
 * do not send each other back for ever.
 */
static const char free_ids[] =
	"CREATE OR REPLACE FUNCTION add_context(new_name text) RETURNS void LANGUAGE plpgsql AS $$"
	" DECLARE new_number integer;"
	" BEGIN"
	"  INSERT INTO context (name) VALUES (new_name) ON CONFLICT DO NOTHING RETURNING number INTO new_number;"
	"  IF new_number IS NOT NULL THEN"
	"   EXECUTE format('CREATE SEQUENCE schema_id_%s AS integer CYCLE', new_number);"
	"  END IF;"
	" END $$;"
	"DO $$ DECLARE ids regclass;"
	" BEGIN"
	"  FOR ids IN SELECT context_sequence(name) FROM context LOOP"
	"   EXECUTE format('ALTER SEQUENCE %s CYCLE', ids);"
	"  END LOOP;"
	" END $$;"
	"CREATE FUNCTION lock_ids(context_name text) RETURNS void LANGUAGE sql AS $$"
	"  SELECT pg_advisory_xact_lock(context_sequence(context_name)::oid::bigint) $$;"
	"CREATE FUNCTION draw_free_id(context_name text) RETURNS integer LANGUAGE plpgsql AS $$"
	" DECLARE"
	"  ids regclass := context_sequence(context_name);"
	"  drawn integer;"
	" BEGIN"
	"  PERFORM lock_ids(context_name);"
	"  LOOP"
	"   drawn := nextval(ids);"
	"   IF NOT EXISTS (SELECT FROM schema WHERE context = context_name AND id = drawn) THEN"
	"    RETURN drawn;"
	"   END IF;"
	"   PERFORM setval(ids, (SELECT s.id FROM schema s WHERE s.context = context_name AND s.id >= drawn AND NOT "
	"EXISTS"
	"    (SELECT FROM schema n WHERE n.context = s.context AND n.id = s.id::bigint + 1) ORDER BY s.id LIMIT 1));"
	"  END LOOP;"
	" END $$;";

static const struct pg_migration migrations[] = {
	{"0001_initial", initial},
	{"0002_config", config},
	{"0003_change_counts", change_counts},
	{"0004_free_ids", free_ids},
};

const struct pg_migration *registry_migrations(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(migrations);
	return migrations;
}
