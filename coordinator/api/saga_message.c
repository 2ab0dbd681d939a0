/* saga_message.c - see saga_message.h. */
#include "coordinator/api/saga_message.h"

#include <assert.h>
#include <stdio.h>

#include "coordinator/api/struct_value.h"
#include "coordinator/definition/plan.h"

/* The API's enums are the core's, moved by one for `unspecified`. */
#define SAME_SAGA_STATE(name)                                                                                          \
	_Static_assert((int)SAGA__V1__SAGA_STATE__SAGA_STATE_##name == (int)SAGA_STATE_##name + 1, #name)
SAME_SAGA_STATE(SCHEDULED);
SAME_SAGA_STATE(RUNNING);
SAME_SAGA_STATE(COMPLETING);
SAME_SAGA_STATE(COMPLETED);
SAME_SAGA_STATE(COMPENSATING);
SAME_SAGA_STATE(COMPENSATED);
SAME_SAGA_STATE(STUCK);
SAME_SAGA_STATE(FAILED);
#define SAME_STEP_STATE(name)                                                                                          \
	_Static_assert((int)SAGA__V1__STEP_STATE__STEP_STATE_##name == (int)STEP_STATE_##name + 1, #name)
SAME_STEP_STATE(PENDING);
SAME_STEP_STATE(DISPATCHED);
SAME_STEP_STATE(ACCEPTED);
SAME_STEP_STATE(RETRY_WAIT);
SAME_STEP_STATE(SUCCEEDED);
SAME_STEP_STATE(REJECTED);
SAME_STEP_STATE(UNKNOWN);
SAME_STEP_STATE(SKIPPED);
SAME_STEP_STATE(COMPENSATING);
SAME_STEP_STATE(COMPENSATION_RETRY_WAIT);
SAME_STEP_STATE(COMPENSATED);
SAME_STEP_STATE(NOT_NEEDED);
SAME_STEP_STATE(WAITING);
SAME_STEP_STATE(STUCK);
SAME_STEP_STATE(COMPENSATION_STUCK);
SAME_STEP_STATE(VIOLATED);
SAME_STEP_STATE(INQUIRING);
SAME_STEP_STATE(INQUIRY_RETRY_WAIT);
SAME_STEP_STATE(HELD);
SAME_STEP_STATE(COMPENSATION_HELD);
_Static_assert((int)SAGA__V1__STEP_PHASE__STEP_PHASE_FORWARD == (int)STEP_PHASE_FORWARD + 1, "FORWARD");
_Static_assert((int)SAGA__V1__STEP_PHASE__STEP_PHASE_COMPENSATION == (int)STEP_PHASE_COMPENSATION + 1, "COMPENSATION");
_Static_assert((int)SAGA__V1__STEP_PHASE__STEP_PHASE_INQUIRY == (int)STEP_PHASE_INQUIRY + 1, "INQUIRY");

void saga_id_check(const char *text, struct uuid *ret_id, struct problems *problems)
{
	if (!uuid_parse(text, strlen(text), ret_id))
		problems_add(
			problems, "saga_id",
			*text ? "'%.60s' is no UUID, such as 01890a5d-ac96-774b-bcce-b302099a8057: StartSaga answers "
				"it, and ListSagas finds it by the saga's key"
			      : "is required%s",
			text);
}

struct status saga_error_status(struct uuid id, const struct error *err, struct saga_error_texts *texts)
{
	struct status status = {.code = err->code, .message = err->msg};

	if (err->code != ERR_NOT_FOUND)
		return status;
	uuid_format(id, texts->id);
	(void)snprintf(texts->message, sizeof(texts->message), "%s%s", err->msg,
		       uuid_version(id) == 7 ? ""
					     : ", nor can it: ids of sagas are UUIDs of version 7; ListSagas finds "
					       "sagas by their key");
	status.message = texts->message;
	status.reason = "SAGA_NOT_FOUND";
	status.resource = (struct status_resource){"saga.v1.Saga", texts->id};
	return status;
}

bool timestamp_is_legal(const Google__Protobuf__Timestamp *time)
{
	return time->seconds >= INT64_C(-62135596800) && time->seconds <= INT64_C(253402300799) && time->nanos >= 0 &&
	       time->nanos <= 999999999;
}

Google__Protobuf__Timestamp *timestamp_make(int64_t unix_us, struct arena *arena)
{
	Google__Protobuf__Timestamp *time;

	if (unix_us == 0)
		return NULL;
	time = arena_alloc(arena, sizeof(*time));
	google__protobuf__timestamp__init(time);
	time->seconds = unix_us / 1000000;
	time->nanos = (int32_t)(unix_us % 1000000) * 1000;
	return time;
}

char *message_text_make(const char *text, struct arena *arena)
{
	size_t len = text ? strlen(text) : 0;
	char *copy;

	if (utf8_is_valid(text ? text : "", len))
		return (char *)(text ? text : ""); /* packing only reads it */
	copy = arena_strndup(arena, text, len);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)copy[i] >= 0x80)
			copy[i] = '?';
	}
	return copy;
}

/* What a signal brought; NULL: nothing, or what this process cannot read now, of which the saga must be shown all the same. */
static Google__Protobuf__Struct *value_of(const struct saga_view *view, int32_t index, struct arena *arena)
{
	const struct step *step = &view->saga->steps[index];
	struct value value;
	struct error err;

	if (!view->plan->definition.steps[index].has_value || step->reply.len == 0)
		return NULL;
	if (plan_decode_reply(view->plan, step->reply, arena, &value, &err) < 0)
		return NULL;
	return value_to_struct(&value, arena);
}

static Saga__V1__Step *make_step(const struct saga_view *view, int32_t index, struct arena *arena)
{
	const struct step *step = &view->saga->steps[index];
	Saga__V1__Step *message = arena_alloc(arena, sizeof(*message));

	saga__v1__step__init(message);
	message->step_id = (char *)view->plan->definition.steps[index].id;
	message->state = (Saga__V1__StepState)(step->state + 1);
	message->attempts = step->attempts[STEP_PHASE_FORWARD];
	message->compensation_attempts = step->attempts[STEP_PHASE_COMPENSATION];
	message->inquiry_attempts = step->attempts[STEP_PHASE_INQUIRY];
	message->resends = step->resends_total;
	message->reason = message_text_make(step->reason, arena);
	message->detail = message_text_make(step->detail, arena);
	message->start_time = timestamp_make(step->started_us, arena);
	message->update_time = timestamp_make(step->updated_us, arena);
	message->value = value_of(view, index, arena);
	return message;
}

static Saga__V1__SagaEvent *make_event(const char *step_id, const struct saga_log_entry *entry, struct arena *arena)
{
	const struct saga_event *event = &entry->event;
	Saga__V1__SagaEvent *message = arena_alloc(arena, sizeof(*message));

	saga__v1__saga_event__init(message);
	message->sequence = entry->sequence;
	message->time = timestamp_make(event->time_us, arena);
	message->event = (char *)saga_event_name(event->type);
	message->state = (Saga__V1__SagaState)(entry->state + 1);
	message->milestone = message_text_make(entry->milestone, arena);
	message->reason = message_text_make(event->reason, arena);
	message->detail = message_text_make(event->detail, arena);
	message->actor = message_text_make(event->actor, arena);
	if (step_id) {
		message->step_id = (char *)step_id;
		message->phase = (Saga__V1__StepPhase)(event->phase + 1);
		message->attempt = event->attempt;
	}
	return message;
}

Saga__V1__SagaEvent *saga_event_message_make(const struct store_log_row *row, struct arena *arena)
{
	return make_event(row->step_id[0] ? row->step_id : NULL, &row->entry, arena);
}

static void add_steps(Saga__V1__Saga *message, const struct saga_view *view, struct arena *arena)
{
	size_t count = view->saga->step_count;

	assert(count == view->plan->definition.step_count);
	message->n_steps = count;
	message->steps = arena_alloc(arena, (count + 1) * sizeof(*message->steps));
	for (size_t i = 0; i < count; i++)
		message->steps[i] = make_step(view, (int32_t)i, arena);
}

static void add_labels(Saga__V1__Saga *message, const struct engine_label *labels, size_t count, struct arena *arena)
{
	message->n_labels = count;
	message->labels = arena_alloc(arena, (count + 1) * sizeof(*message->labels));
	for (size_t i = 0; i < count; i++) {
		message->labels[i] = arena_alloc(arena, sizeof(*message->labels[i]));
		saga__v1__saga__labels_entry__init(message->labels[i]);
		message->labels[i]->key = message_text_make(labels[i].name, arena);
		message->labels[i]->value = message_text_make(labels[i].value, arena);
	}
}

static int add_history(Saga__V1__Saga *message, const struct saga_view *view, struct arena *arena, struct error *err)
{
	struct value input;

	message->events = saga_events_make(view, arena);
	message->n_events = view->log_count;
	if (plan_decode_input(view->plan, view->input, arena, &input, err))
		return error_prefix(err, "stored input");
	message->input = value_to_struct(&input, arena);
	return 0;
}

Saga__V1__SagaEvent **saga_events_make(const struct saga_view *view, struct arena *arena)
{
	const struct definition *definition = &view->plan->definition;
	Saga__V1__SagaEvent **events = arena_alloc(arena, (view->log_count + 1) * sizeof(*events));

	for (size_t i = 0; i < view->log_count; i++) {
		int32_t step = view->log[i].event.step;
		bool is_of_step = step >= 0 && (size_t)step < definition->step_count;

		events[i] = make_event(is_of_step ? definition->steps[step].id : NULL, &view->log[i], arena);
		if (is_of_step && view->log[i].event.type == SAGA_EVENT_SIGNALLED) /* a step takes one signal */
			events[i]->value = value_of(view, step, arena);
	}
	return events;
}

Saga__V1__Saga *saga_head_message_make(const struct saga_head *head, struct arena *arena)
{
	const struct saga *saga = &head->saga;
	Saga__V1__Saga *message = arena_alloc(arena, sizeof(*message));

	saga__v1__saga__init(message);
	message->saga_id = arena_alloc(arena, UUID_TEXT_LEN + 1);
	uuid_format(saga->id, message->saga_id);
	message->definition = (char *)head->definition;
	message->definition_version = head->definition_version;
	message->state = (Saga__V1__SagaState)(saga->state + 1);
	message->step = message_text_make(saga->milestone, arena);
	message->key = message_text_make(head->key, arena);
	message->idempotency_key = message_text_make(head->idempotency_key, arena);
	message->version = saga->version;
	message->create_time = timestamp_make(saga->created_us, arena);
	message->update_time = timestamp_make(saga->updated_us, arena);
	message->end_time = timestamp_make(saga->ended_us, arena);
	message->start_time = timestamp_make(saga->start_us, arena);
	message->pause_time = timestamp_make(saga->paused_us, arena);
	message->stuck_reason = message_text_make(saga->stuck_reason, arena);
	add_labels(message, head->labels, head->label_count, arena);
	return message;
}

int saga_message_make(const struct saga_view *view, bool has_history, struct arena *arena, Saga__V1__Saga **ret_message,
		      struct error *err)
{
	const struct saga_head head = {
		.saga = *view->saga,
		.definition = view->plan->definition.name,
		.definition_version = view->plan->definition.version,
		.key = view->key,
		.idempotency_key = view->idempotency_key,
		.labels = view->labels,
		.label_count = view->label_count,
	};
	Saga__V1__Saga *message = saga_head_message_make(&head, arena);

	add_steps(message, view, arena);
	if (has_history && add_history(message, view, arena, err))
		return -1;
	*ret_message = message;
	return 0;
}
