/* participant_check.c - see participant_check.h. */
#include "coordinator/check/participant_check.h"

#include <assert.h>
#include <string.h>

#include "coordinator/check/departed.h"
#include "coordinator/check/effect_rules.h"
#include "lib/base/memory.h"

/* What the inboxes hold of one page of sagas. */
struct round {
	struct participant_check *check;
	struct pg *coordinator;
	const struct definition_book *book;
	const struct saga_page *page;
	struct step_effects **effects; /* of each saga, of each step */
	struct arena *arena;
	struct arena rows; /* of one page of an inbox */
};

/* ---- who takes part ---- */

void participant_check_init(struct participant_check *check, const struct check_listener *listener)
{
	*check = (struct participant_check){.listener = listener};
}

void participant_check_release(struct participant_check *check)
{
	for (size_t i = 0; i < check->count; i++)
		participant_inbox_close(&check->inboxes[i]);
}

int participant_check_add(struct participant_check *check, const char *name, const char *conninfo, struct error *err)
{
	struct participant_inbox *inbox = NULL;

	if (pg_conninfo_check(conninfo, err) < 0)
		return error_prefix(err, "participant '%s'", name);
	for (size_t i = 0; i < check->count; i++)
		if (strcmp(check->inboxes[i].conninfo, conninfo) == 0)
			inbox = &check->inboxes[i];
	if (!inbox && check->count == PARTICIPANTS_MAX)
		return error_set(err, ERR_INVALID, "more than %d participants", PARTICIPANTS_MAX);
	if (!inbox) {
		inbox = &check->inboxes[check->count++];
		inbox->conninfo = conninfo;
	}
	if (inbox->name_count == INBOX_NAMES_MAX)
		return error_set(err, ERR_INVALID, "participant '%s': one database has more than %d names", name,
				 INBOX_NAMES_MAX);
	inbox->names[inbox->name_count++] = name;
	return 0;
}

int participant_check_find(const struct participant_check *check, const char *topic)
{
	for (size_t i = 0; i < check->count; i++)
		if (participant_inbox_takes(&check->inboxes[i], topic))
			return (int)i;
	return -1;
}

void participant_check_go_without(struct participant_check *check, struct participant_inbox *inbox,
				  const struct error *err)
{
	inbox->is_away = true;
	check_undecided(check->listener, "participant '%s': %s", inbox->names[0], err->msg);
}

static bool is_name_used(const struct definition_book *book, const char *name)
{
	const struct participant_inbox one = {.names = {name}, .name_count = 1};

	for (size_t i = 0; i < book->count; i++)
		for (int32_t step = 0; book->items[i].definition && step < (int32_t)book->items[i].source->step_count;
		     step++)
			for (int phase = 0; phase < STEP_PHASE_COUNT; phase++) {
				const char *topic =
					definition_command_topic(&book->items[i], step, (enum step_phase)phase);

				if (topic && participant_inbox_takes(&one, topic))
					return true;
			}
	return false;
}

void participant_check_open(struct participant_check *check, const struct definition_book *book)
{
	struct error err;

	for (size_t i = 0; i < check->count; i++) {
		struct participant_inbox *inbox = &check->inboxes[i];

		for (size_t k = 0; k < inbox->name_count; k++)
			if (!is_name_used(book, inbox->names[k]))
				check_undecided(check->listener,
						"participant '%s': no definition has a command whose topic is '%s' or "
						"begins with '%s.'",
						inbox->names[k], inbox->names[k], inbox->names[k]);
		if (participant_inbox_open(inbox, &err) < 0)
			participant_check_go_without(check, inbox, &err);
	}
}

/* ---- a page of an inbox ---- */

/* The participant of a step's command; -1: none that was named, or it is away. */
static int owner_of(const struct participant_check *check, const struct known_definition *known, int32_t step,
		    enum step_phase phase)
{
	const char *topic = definition_command_topic(known, step, phase);
	const int owner = topic ? participant_check_find(check, topic) : -1;

	return owner < 0 || check->inboxes[owner].is_away ? -1 : owner;
}

static void begin_effects(struct round *round)
{
	const struct saga_page *page = round->page;

	round->effects = arena_zalloc(round->arena, (page->count + 1) * sizeof(struct step_effects *));
	for (size_t i = 0; i < page->count; i++)
		if (page->sagas[i].saga)
			round->effects[i] = arena_zalloc(round->arena, (page->sagas[i].saga->step_count + 1) *
									       sizeof(struct step_effects));
}

static void report(const struct round *round, const struct inbox_entry *entry, const char *text)
{
	check_report(round->check->listener, &entry->saga_id, entry->step_id, text);
}

static bool is_phase(int64_t phase)
{
	return phase == STEP_PHASE_FORWARD || phase == STEP_PHASE_COMPENSATION;
}

/* Whose row it may be: that of a forward command is also written by whoever is asked to undo it before it came, as a tombstone,
 * or what became of it, as whatever it finds out. */
static bool is_own(const struct round *round, const struct known_definition *known, int32_t step,
		   const struct inbox_entry *entry, int participant)
{
	if (owner_of(round->check, known, step, (enum step_phase)entry->phase) == participant)
		return true;
	if (entry->phase != STEP_PHASE_FORWARD)
		return false;
	return owner_of(round->check, known, step, STEP_PHASE_INQUIRY) == participant ||
	       (entry->outcome == EFFECT_TOMBSTONE &&
		owner_of(round->check, known, step, STEP_PHASE_COMPENSATION) == participant);
}

/* Is the row explained by the saga as it is here? */
static const char *unexplained(const struct round *round, const struct page_saga *saga, const struct inbox_entry *entry,
			       int participant)
{
	int32_t step;

	if (!saga->saga)
		return NULL; /* that it cannot be read is said elsewhere */
	step = definition_find_step(saga->known->definition, entry->step_id);
	if (step < 0 || !is_phase(entry->phase))
		return "I7: its inbox has a command of a step that the saga's definition does not have";
	if (!is_own(round, saga->known, step, entry, participant))
		return arena_format(round->arena, "I4: participant '%s' has done a command that is not its own",
				    round->check->inboxes[participant].names[0]);
	return effect_undecided(saga->saga, step, (enum step_phase)entry->phase, (enum effect_outcome)entry->outcome);
}

static void take_entry(const struct round *round, const struct inbox_entry *entry, int participant)
{
	const struct page_saga *saga = saga_page_get(round->page, entry->saga_id);
	struct step_effects *effects;
	struct effect *effect;
	int32_t step;

	if (entry->count > 1)
		report(round, entry,
		       arena_format(round->arena,
				    "I4: the inbox of '%s' has %lld rows of one command: it has no unique key",
				    round->check->inboxes[participant].names[0], (long long)entry->count));
	if (!saga || !saga->saga || !is_phase(entry->phase))
		return;
	step = definition_find_step(saga->known->definition, entry->step_id);
	if (step < 0 || owner_of(round->check, saga->known, step, (enum step_phase)entry->phase) != participant)
		return;
	effects = &round->effects[saga - round->page->sagas][step];
	effect = entry->phase == STEP_PHASE_FORWARD ? &effects->forward : &effects->compensation;
	effect->is_there = true;
	effect->outcome = (enum effect_outcome)entry->outcome;
	effect->has_no_effect = entry->has_no_effect;
}

/* An id may say any time; the row's own counts. Of sagas up to `departed` nobody knows whether they were there. */
static const char *unknown(const struct round *round, const struct inbox_entry *entry, struct uuid departed,
			   int participant)
{
	if (uuid_compare(entry->saga_id, departed) <= 0)
		return NULL;
	if (entry->created_us > 0 && entry->created_us < round->check->since_us)
		return NULL;
	return arena_format(round->arena,
			    "I7: the inbox of '%s' has a command of a saga that the coordinator does not know",
			    round->check->inboxes[participant].names[0]);
}

/* Those rows that the page does not explain are judged by their sagas as they are now, after the inbox was read. */
static int judge_unexplained(struct round *round, const struct inbox_entry *entries, const size_t *places, size_t count,
			     int participant, struct error *err)
{
	struct uuid *ids = arena_alloc(&round->rows, (count + 1) * sizeof(*ids));
	struct saga_page now;
	struct uuid departed;

	if (count == 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		ids[i] = entries[places[i]].saga_id;
	if (saga_page_find(round->coordinator, round->book, ids, count, &round->rows, &now, err) < 0 ||
	    departed_read(round->coordinator, &departed, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const struct inbox_entry *entry = &entries[places[i]];
		const struct page_saga *saga = saga_page_get(&now, entry->saga_id);
		const char *why = saga ? unexplained(round, saga, entry, participant)
				       : unknown(round, entry, departed, participant);

		if (why)
			report(round, entry, why);
	}
	return 0;
}

static int take_entries(struct round *round, const struct inbox_entry *entries, size_t count, int participant,
			struct error *err)
{
	size_t *places = arena_alloc(&round->rows, (count + 1) * sizeof(*places));
	size_t place_count = 0;

	for (size_t i = 0; i < count; i++) {
		const struct page_saga *saga = saga_page_get(round->page, entries[i].saga_id);

		take_entry(round, &entries[i], participant);
		if (!saga || unexplained(round, saga, &entries[i], participant))
			places[place_count++] = i;
	}
	round->check->rows += (int64_t)count;
	return judge_unexplained(round, entries, places, place_count, participant, err);
}

/* The least key behind all of this saga. */
static struct uuid next_id(struct uuid id)
{
	for (size_t i = sizeof(id.data); i-- > 0;)
		if (++id.data[i] != 0)
			break;
	return id;
}

static int read_inbox(struct round *round, int participant, struct uuid after, struct uuid last, struct error *err)
{
	struct participant_inbox *inbox = &round->check->inboxes[participant];
	struct inbox_cursor cursor = {next_id(after), "", -1};
	struct inbox_entry *entries;
	struct error failure;
	size_t count;

	do {
		if (participant_inbox_read(inbox, &cursor, last, &round->rows, &entries, &count, &failure) < 0) {
			participant_check_go_without(round->check, inbox, &failure);
			break;
		}
		if (take_entries(round, entries, count, participant, err) < 0)
			return -1;
		if (count > 0)
			cursor = (struct inbox_cursor){entries[count - 1].saga_id,
						       arena_strdup(round->arena, entries[count - 1].step_id),
						       entries[count - 1].phase};
		arena_clear(&round->rows);
	} while (count == INBOX_PAGE_ROWS);
	return 0;
}

/* ---- a page of sagas ---- */

/* An inbox that went away half-read tells nothing, nor does one of which rows may have left. */
static void mark_asked(const struct round *round, const struct page_saga *saga, int32_t step,
		       struct step_effects *effects)
{
	const int forward = owner_of(round->check, saga->known, step, STEP_PHASE_FORWARD);
	const int back = owner_of(round->check, saga->known, step, STEP_PHASE_COMPENSATION);

	const bool knows_forward = forward >= 0 && !participant_inbox_is_cut(&round->check->inboxes[forward], saga->id);
	const bool knows_back = back >= 0 && !participant_inbox_is_cut(&round->check->inboxes[back], saga->id);

	if (!knows_forward)
		effects->forward = (struct effect){0};
	if (!knows_back)
		effects->compensation = (struct effect){0};
	effects->forward.is_asked = knows_forward;
	effects->compensation.is_asked = knows_back;
	effects->is_one_inbox = forward >= 0 && forward == back;
}

static void judge_saga(const struct round *round, const struct page_saga *saga, struct step_effects *effects)
{
	const struct definition *definition = saga->known->definition;

	for (int32_t step = 0; step < (int32_t)saga->saga->step_count; step++) {
		const char *why;

		mark_asked(round, saga, step, &effects[step]);
		why = effect_missing(definition, saga->saga, step, &effects[step], round->arena);
		if (why)
			check_report(round->check->listener, &saga->id, definition->steps[step].id, why);
	}
}

static void judge_page(struct round *round)
{
	for (size_t i = 0; i < round->page->count; i++)
		if (round->page->sagas[i].saga)
			judge_saga(round, &round->page->sagas[i], round->effects[i]);
}

int participant_check_page(struct participant_check *check, struct pg *coordinator, const struct definition_book *book,
			   const struct saga_page *page, struct uuid after, struct uuid last, struct arena *arena,
			   struct error *err)
{
	struct round round = {check, coordinator, book, page, NULL, arena, {0}};
	int result = 0;

	arena_init(&round.rows, 0);
	begin_effects(&round);
	for (size_t i = 0; i < check->count && result == 0; i++)
		if (!check->inboxes[i].is_away)
			result = read_inbox(&round, (int)i, after, last, err);
	if (result == 0)
		judge_page(&round);
	arena_release(&round.rows);
	return result;
}
