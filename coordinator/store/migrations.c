/*
 * migrations.c - see migrations.h. Numbers of states and events are the enums' of saga.h; their words come from the same
 * list, so a state that is added at its end needs a migration that makes the views anew.
 */
#include "coordinator/store/migrations.h"

#include <assert.h>

#include "coordinator/saga/saga.h"
#include "lib/base/memory.h"

/* clang-format off */
static const char SAGA_TABLE[] =
	"CREATE TABLE definition ("
	"	id int PRIMARY KEY," /* without gaps, in the order of commits: 'all after this id' misses none */
	"	name text NOT NULL,"
	"	version int NOT NULL,"
	"	source text NOT NULL,"
	"	pins jsonb NOT NULL," /* [{subject, version, schema_id}] that the definition is bound to */
	"	created_at timestamptz NOT NULL DEFAULT now(),"
	"	UNIQUE (name, version));"

	/* One row a saga; it is the outbox, too: it says which command is in flight. Half of each page stays free and no
	 * index has a column that a step changes, so that updates are HOT: no index entry, no vacuum. An index on
	 * due_at, state or updated_at would halve the updates a second. */
	"CREATE TABLE saga ("
	"	saga_id uuid PRIMARY KEY,"
	"	version bigint NOT NULL," /* counts changes; every one names the version that it read */
	"	created_at timestamptz NOT NULL,"
	"	updated_at timestamptz NOT NULL,"
	"	ended_at timestamptz,"
	"	due_at timestamptz," /* when the sweep has something to do for it */
	"	sent_boot bigint NOT NULL," /* the run of the coordinator `sent_by` that changed it last */
	"	definition_id int NOT NULL REFERENCES definition,"
	"	state smallint NOT NULL,"
	"	is_open boolean NOT NULL," /* not ended: RUNNING …, also STUCK */
	"	definition_name text NOT NULL,"
	"	key text NOT NULL,"
	"	idempotency_key text NOT NULL," /* the saga's id where the client gave none */
	"	milestone text,"
	"	sent_by text NOT NULL,"
	"	labels jsonb,"
	"	input bytea NOT NULL,"
	"	data bytea NOT NULL," /* saga_encode() */
	"	UNIQUE (definition_name, idempotency_key)"
	") WITH (fillfactor = 50);"
	"CREATE INDEX saga_open ON saga (saga_id) WHERE is_open;"

	/* Append-only, one row an event. Measured with 1,000,000 rows of 125,000 interleaved sagas, batches of 2,000: an
	 * insert costs 1.8 us without an index, 2.2 with BRIN (minmax-multi), 3.4 with this one, 4.0 with a primary key.
	 * Reading one log: 4.5 ms through BRIN, growing with the table, and the part that is not summarized yet is read
	 * whole; 0.1 ms through this one. Another instance's GetSaga reads the log of most sagas, so one read in 350
	 * sagas pays for the index. */
	"CREATE TABLE saga_log ("
	"	saga_id uuid NOT NULL,"
	"	sequence bigint NOT NULL,"
	"	at timestamptz NOT NULL,"
	"	attempt int NOT NULL,"
	"	event smallint NOT NULL,"
	"	phase smallint NOT NULL,"
	"	state smallint NOT NULL," /* after it */
	"	has_no_effect boolean NOT NULL,"
	"	step text," /* NULL: of the saga as a whole */
	"	milestone text,"
	"	reason text,"
	"	detail text,"
	"	reply bytea);" /* where later commands take fields from it */
	"CREATE INDEX saga_log_saga ON saga_log (saga_id);";

/* What people and tools read: names and meanings of columns stay; new ones are added at the end. */
static const char VIEWS[] =
	"CREATE VIEW sagas AS SELECT"
	"	s.saga_id,"
	"	s.key AS order_id,"
	"	CASE (ARRAY["
#define SAGA_STATE(name, flags, meaning) "'" #name "', "
#include "coordinator/saga/saga_states.def"
	"	NULL])[s.state + 1]"
	"		WHEN 'COMPLETED' THEN 'COMPLETED'"
	"		WHEN 'COMPENSATED' THEN 'FAILED'"
	"		WHEN 'FAILED' THEN 'FAILED'"
	"		ELSE 'RUNNING' END AS status,"
	"	coalesce(s.milestone, 'STARTED') AS step,"
	"	s.created_at,"
	"	(ARRAY["
#define SAGA_STATE(name, flags, meaning) "'" #name "', "
#include "coordinator/saga/saga_states.def"
	"	NULL])[s.state + 1] AS state,"
	"	s.definition_name AS definition,"
	"	d.version AS definition_version,"
	"	s.updated_at,"
	"	s.ended_at"
	" FROM saga s JOIN definition d ON d.id = s.definition_id;";

/* Made anew whenever there are new words for events or columns: it says what is in the table, so there is nothing to carry
 * over, and one text serves all of these migrations. It adds the columns that the first tables did not have. */
static const char EVENTS_VIEW[] =
	"ALTER TABLE saga_log ADD COLUMN IF NOT EXISTS actor text;" /* whose call it was; NULL: no call's */
	"CREATE OR REPLACE VIEW saga_events AS SELECT"
	"	saga_id,"
	"	sequence,"
	"	at,"
	"	(ARRAY["
#define SAGA_EVENT(name, text, attempts) "'" text "', "
#include "coordinator/saga/saga_states.def"
	"	NULL])[event + 1] AS event,"
	"	step AS step_id,"
	"	CASE WHEN step IS NULL THEN NULL ELSE (ARRAY['forward', 'compensation', 'inquiry'])[phase + 1] END AS phase,"
	"	CASE WHEN step IS NULL THEN NULL ELSE attempt END AS attempt,"
	"	milestone,"
	"	reason,"
	"	detail,"
	"	(ARRAY["
#define SAGA_STATE(name, flags, meaning) "'" #name "', "
#include "coordinator/saga/saga_states.def"
	"	NULL])[state + 1] AS state,"
	"	actor"
	" FROM saga_log;";
static_assert((int)SAGA_EVENT_COUNT == 23,
	      "a new word is NULL in the view of a database that is there already: add EVENTS_VIEW to STORE_MIGRATIONS once more, "
	      "then count the word here");
/* clang-format on */

/* clang-format off */
static const char FEED[] =
	/* One row a commit, so it costs the turn next to nothing; engine/read_port.h says how it is read. The index is not
	 * unique: a database that was restored elsewhere counts its transactions anew. Arrays are not compressed, since that
	 * is CPU of the turn. */
	"CREATE TABLE saga_feed ("
	"	xid bigint NOT NULL," /* of the transaction */
	"	at timestamptz NOT NULL DEFAULT now(),"
	"	saga_ids uuid[] NOT NULL,"
	"	firsts bigint[] NOT NULL," /* sequences of the saga's entries in the log, from … */
	"	lasts bigint[] NOT NULL," /* … to */
	"	states smallint[] NOT NULL);"
	"ALTER TABLE saga_feed ALTER saga_ids SET STORAGE EXTERNAL, ALTER firsts SET STORAGE EXTERNAL,"
	"	ALTER lasts SET STORAGE EXTERNAL, ALTER states SET STORAGE EXTERNAL;"
	"CREATE INDEX saga_feed_xid ON saga_feed (xid);"
	"CREATE TABLE saga_feed_floor (xid bigint NOT NULL);" /* one row: up to here commits may be gone */
	"INSERT INTO saga_feed_floor VALUES (0);"

	/* To find sagas by what people know of them. No step changes these columns, so updates stay HOT; sagas without
	 * labels cost the second nothing. */
	"CREATE INDEX saga_key ON saga (key, saga_id);"
	"CREATE INDEX saga_labels ON saga USING gin (labels jsonb_path_ops) WHERE labels IS NOT NULL;";
/* clang-format on */

static const char DEFINITION_CREATOR[] =
	"ALTER TABLE definition ADD COLUMN creator text;"; /* NULL: registered before this was recorded */

/* clang-format off */
/* What people are still to be told; a row goes when whom it is for has it. `due_at` is the lease, too: who takes a row
 * moves it on, so nobody else takes it meanwhile, and whoever is there takes it again where the first one died. */
static const char NOTICES[] =
	"CREATE TABLE saga_notice ("
	"	saga_id uuid NOT NULL,"
	"	sequence bigint NOT NULL," /* of saga_log */
	"	target text NOT NULL," /* who is to be told: 'kafka', or 'webhook NAME' */
	"	at timestamptz NOT NULL,"
	"	due_at timestamptz NOT NULL DEFAULT now(),"
	"	tries int NOT NULL DEFAULT 0,"
	"	phase smallint NOT NULL,"
	"	step text NOT NULL,"
	"	reason text,"
	"	detail text,"
	"	PRIMARY KEY (saga_id, sequence, target));"
	"CREATE INDEX saga_notice_due ON saga_notice (target, due_at);";
/* clang-format on */

/* As the stored form says, for lists. No index has it, so pauses stay HOT. What was paused before is found by the log, whose last
 * word on it counts; the words are the view's. */
static const char PAUSED[] =
	"ALTER TABLE saga ADD COLUMN is_paused boolean NOT NULL DEFAULT false;"
	"UPDATE saga s SET is_paused = true WHERE s.is_open AND 'paused' = (SELECT e.event FROM saga_events e"
	"	WHERE e.saga_id = s.saga_id AND e.event IN ('paused', 'resumed') ORDER BY e.sequence DESC LIMIT 1);";

static const char PAUSES[] = "CREATE TABLE saga_pause ("
			     "	kind smallint NOT NULL CHECK (kind IN (0, 1))," /* definition, participant */
			     "	name text NOT NULL,"
			     "	at timestamptz NOT NULL DEFAULT now(),"
			     "	actor text NOT NULL,"
			     "	reason text NOT NULL,"
			     "	ended_at timestamptz," /* NULL: it is paused */
			     "	ended_by text,"
			     "	end_reason text);"
			     "CREATE UNIQUE INDEX saga_pause_now ON saga_pause (kind, name) WHERE ended_at IS NULL;";

/* Who compares databases sees sagas of others that have left here: nothing is known of an id up to this one. */
static const char DEPARTED[] = "CREATE TABLE saga_departed (last_id uuid NOT NULL);"
			       "INSERT INTO saga_departed VALUES ('00000000-0000-0000-0000-000000000000');";

/* A look-up and a row lock for each start, 6 % of a commit's CPU. Nothing removes definitions, the catalog knows which there
 * are, and sagactl check looks for those of all sagas. */
static const char NO_REFERENCE[] = "ALTER TABLE saga DROP CONSTRAINT saga_definition_id_fkey;";

/* clang-format off */
/* What sweeps, counts and lists go by, apart from the wide rows: saga/open_row.h. A saga's row is written at its start and goes at its
 * end; in between most sagas never touch it. It comes and goes with each saga, so what is dead must leave often, however many wait. */
static const char OPEN[] =
	"LOCK TABLE saga;" /* first of all: a program of before that still runs starts sagas */
	"ALTER INDEX saga_open RENAME TO saga_open_before;" /* which finds what is open */
	"CREATE TABLE saga_open ("
	"	saga_id uuid PRIMARY KEY,"
	"	look_at timestamptz NOT NULL," /* nothing is due before; 'infinity': nothing is */
	"	definition_id int NOT NULL,"
	"	state smallint NOT NULL," /* as the saga's, as the next */
	"	is_paused boolean NOT NULL,"
	"	is_patient boolean NOT NULL" /* a command may be in flight although nothing is due soon */
	") WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);"
	"INSERT INTO saga_open SELECT saga_id, coalesce(due_at, 'infinity'), definition_id, state, is_paused, due_at IS NOT NULL"
	"	FROM saga WHERE is_open ORDER BY saga_id;"
	"CREATE INDEX saga_open_look ON saga_open (look_at);"
	"ALTER TABLE saga DROP COLUMN is_open;"; /* with its index; a program of before, which would not write this table, cannot commit */
/* clang-format on */

/* A start looks for them among very many that wait. */
static const char OPEN_PATIENT[] = "CREATE INDEX saga_open_patient ON saga_open (look_at) WHERE is_patient;";

const struct pg_migration STORE_MIGRATIONS[] = {
	{"0001_tables", SAGA_TABLE},
	{"0002_views", VIEWS},
	{"0003_events_scheduled_cancelled", EVENTS_VIEW},
	{"0004_feed", FEED},
	{"0005_events_actor", EVENTS_VIEW},
	{"0006_definition_creator", DEFINITION_CREATOR},
	{"0007_events_of_operators", EVENTS_VIEW},
	{"0008_event_elapsed", EVENTS_VIEW},
	{"0009_inquiries", EVENTS_VIEW},
	{"0010_notices", NOTICES},
	{"0011_saga_paused", PAUSED},
	{"0012_events_of_room", EVENTS_VIEW},
	{"0013_pauses", PAUSES},
	{"0014_departed", DEPARTED},
	{"0015_no_reference", NO_REFERENCE},
	{"0016_open", OPEN},
	{"0017_open_patient", OPEN_PATIENT},
};
const size_t STORE_MIGRATION_COUNT = ARRAY_LEN(STORE_MIGRATIONS);

static_assert(STEP_PHASE_FORWARD == 0 && STEP_PHASE_COMPENSATION == 1 && STEP_PHASE_INQUIRY == 2 &&
		      STEP_PHASE_COUNT == 3,
	      "the views name the phases by number");
