/* pause_commands.c - sagactl definitions pause and resume, participants pause and resume, and pauses. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/session.h"
#include "cli/table.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "saga/v1/saga_service.pb-c.h"

static const char *reason;

static const struct option reason_options[] = {
	{.flag = "reason",
	 .letter = 'r',
	 .value_name = "TEXT",
	 .is_required = true,
	 .help = "Why: whoever finds it paused wants to know.",
	 .place = &reason},
};

/* ---- pause and resume ---- */
static const char *name_of(const Saga__V1__Pause *pause)
{
	return pause->target_case == SAGA__V1__PAUSE__TARGET_DEFINITION ? pause->definition : pause->participant;
}

/* In one line what was done, or what is so already. */
static void say_paused(const char *kind, const Saga__V1__Pause *pause, bool was_paused)
{
	if (was_paused)
		(void)printf("%s %s was paused before, by %s: %s\n", kind, name_of(pause), pause->actor, pause->reason);
	else
		(void)printf("%s %s is paused; every coordinator follows within seconds\n", kind, name_of(pause));
}

static enum exit_code call_pause(struct session *session_, const char *kind, const char *method,
				 const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer_type)
{
	const Saga__V1__PauseDefinitionResponse *of_definition;
	const Saga__V1__PauseParticipantResponse *of_participant;
	enum exit_code code = EXIT_DONE;
	ProtobufCMessage *answer;

	if (session_call(session_, method, request, answer_type, 0, &answer, &code) < 0)
		return code;
	of_definition = (const Saga__V1__PauseDefinitionResponse *)answer;
	of_participant = (const Saga__V1__PauseParticipantResponse *)answer;
	if (session_wants_json(session_))
		session_print_json(session_, answer);
	else if (answer_type == &saga__v1__pause_definition_response__descriptor)
		say_paused(kind, of_definition->pause, of_definition->was_paused);
	else
		say_paused(kind, of_participant->pause, of_participant->was_paused);
	protobuf_c_message_free_unpacked(answer, NULL);
	return EXIT_DONE;
}

static enum exit_code call_resume(struct session *session_, const char *kind, const char *name, const char *method,
				  const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer_type)
{
	enum exit_code code = EXIT_DONE;
	ProtobufCMessage *answer;
	bool was_paused;

	if (session_call(session_, method, request, answer_type, 0, &answer, &code) < 0)
		return code;
	was_paused = answer_type == &saga__v1__resume_definition_response__descriptor
			     ? ((const Saga__V1__ResumeDefinitionResponse *)answer)->was_paused
			     : ((const Saga__V1__ResumeParticipantResponse *)answer)->was_paused;
	if (session_wants_json(session_))
		session_print_json(session_, answer);
	else
		(void)printf(was_paused ? "%s %s goes on\n" : "%s %s was not paused\n", kind, name);
	protobuf_c_message_free_unpacked(answer, NULL);
	return EXIT_DONE;
}

static enum exit_code run_definition_pause(struct session *session_, char **arguments, int count)
{
	Saga__V1__PauseDefinitionRequest request = SAGA__V1__PAUSE_DEFINITION_REQUEST__INIT;

	(void)count;
	request.definition = arguments[0];
	request.reason = (char *)reason;
	return call_pause(session_, "definition", "PauseDefinition", &request.base,
			  &saga__v1__pause_definition_response__descriptor);
}

static enum exit_code run_definition_resume(struct session *session_, char **arguments, int count)
{
	Saga__V1__ResumeDefinitionRequest request = SAGA__V1__RESUME_DEFINITION_REQUEST__INIT;

	(void)count;
	request.definition = arguments[0];
	request.reason = (char *)reason;
	return call_resume(session_, "definition", arguments[0], "ResumeDefinition", &request.base,
			   &saga__v1__resume_definition_response__descriptor);
}

static enum exit_code run_participant_pause(struct session *session_, char **arguments, int count)
{
	Saga__V1__PauseParticipantRequest request = SAGA__V1__PAUSE_PARTICIPANT_REQUEST__INIT;

	(void)count;
	request.participant = arguments[0];
	request.reason = (char *)reason;
	return call_pause(session_, "participant", "PauseParticipant", &request.base,
			  &saga__v1__pause_participant_response__descriptor);
}

static enum exit_code run_participant_resume(struct session *session_, char **arguments, int count)
{
	Saga__V1__ResumeParticipantRequest request = SAGA__V1__RESUME_PARTICIPANT_REQUEST__INIT;

	(void)count;
	request.participant = arguments[0];
	request.reason = (char *)reason;
	return call_resume(session_, "participant", arguments[0], "ResumeParticipant", &request.base,
			   &saga__v1__resume_participant_response__descriptor);
}

const struct command definitions_pause_command = {
	.name = "definitions pause",
	.arguments = "DEFINITION",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "send nothing for a definition's sagas until it is resumed",
	.notes = "Of every version. Starts are accepted and wait; no time of what is held back runs out; replies still "
		 "count.\n"
		 "Single sagas are held by `sagactl pause`.\n",
	.examples = "sagactl definitions pause checkout --reason 'prices are wrong'\n",
	.options = reason_options,
	.option_count = ARRAY_LEN(reason_options),
	.run = run_definition_pause,
};

const struct command definitions_resume_command = {
	.name = "definitions resume",
	.arguments = "DEFINITION",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "let a paused definition's sagas go on",
	.examples = "sagactl definitions resume checkout --reason 'prices are right'\n",
	.options = reason_options,
	.option_count = ARRAY_LEN(reason_options),
	.run = run_definition_resume,
};

const struct command participants_pause_command = {
	.name = "participants pause",
	.arguments = "PARTICIPANT",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "send nothing to a participant, compensations included, until it is resumed",
	.notes = "A participant is the first word of its command topics: payment of payment.charge.command. Other "
		 "steps go "
		 "on; no\n"
		 "time of what is held back runs out; replies still count.\n",
	.examples = "sagactl participants pause payment --reason 'payment moves'\n",
	.options = reason_options,
	.option_count = ARRAY_LEN(reason_options),
	.run = run_participant_pause,
};

const struct command participants_resume_command = {
	.name = "participants resume",
	.arguments = "PARTICIPANT",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "send what was held back to a paused participant",
	.examples = "sagactl participants resume payment --reason 'payment has moved'\n",
	.options = reason_options,
	.option_count = ARRAY_LEN(reason_options),
	.run = run_participant_resume,
};

/* ---- the list ---- */
static void show_table(const Saga__V1__ListPausesResponse *pauses)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct table table;

	table_init(&table, 5, table_colours_wanted());
	table_add_head(&table, (const char *const[]){"PAUSED", "NAME", "SINCE", "BY", "WHY"});
	for (size_t i = 0; i < pauses->n_pauses; i++) {
		const Saga__V1__Pause *pause = pauses->pauses[i];
		const bool is_definition = pause->target_case == SAGA__V1__PAUSE__TARGET_DEFINITION;
		char since[CLOCK_TEXT_LEN + 1] = "";

		if (pause->create_time)
			clock_format(pause->create_time->seconds * 1000000 + pause->create_time->nanos / 1000, since);
		table_add(&table, TABLE_PLAIN, "%s", is_definition ? "definition" : "participant");
		table_add(&table, TABLE_BOLD, "%s", name_of(pause));
		table_add(&table, TABLE_PLAIN, "%s", since);
		table_add(&table, TABLE_PLAIN, "%s", pause->actor);
		table_add(&table, TABLE_PLAIN, "%s", pause->reason);
	}
	table_print(&table, &out);
	table_release(&table);
	(void)printf("%s", buffer_text(&out));
}

static enum exit_code run_list(struct session *session_, char **arguments, int count)
{
	Saga__V1__ListPausesRequest request = SAGA__V1__LIST_PAUSES_REQUEST__INIT;
	struct session_list json = {.session = session_};
	const Saga__V1__ListPausesResponse *pauses;
	enum exit_code code = EXIT_DONE;
	ProtobufCMessage *answer;

	(void)arguments;
	(void)count;
	if (session_call(session_, "ListPauses", &request.base, &saga__v1__list_pauses_response__descriptor, 0, &answer,
			 &code) < 0)
		return code;
	pauses = (const Saga__V1__ListPausesResponse *)answer;
	for (size_t i = 0; i < pauses->n_pauses && session_wants_json(session_); i++)
		session_list_add(&json, &pauses->pauses[i]->base);
	if (session_wants_json(session_))
		session_list_end(&json);
	else if (pauses->n_pauses > 0)
		show_table(pauses);
	else
		(void)fprintf(stderr, "sagactl: no definition or participant is paused\n");
	protobuf_c_message_free_unpacked(answer, NULL);
	return EXIT_DONE;
}

const struct command pauses_command = {
	.name = "pauses",
	.summary = "list the definitions and participants that are paused",
	.examples = "sagactl pauses\n"
		    "sagactl pauses -o jsonl | jq -r .reason\n",
	.run = run_list,
};
