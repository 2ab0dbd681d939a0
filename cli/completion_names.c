/* completion_names.c - see completion_names.h. */
#include "cli/completion_names.h"

#include <stdio.h>
#include <string.h>

#include "cli/saga_words.h"
#include "cli/session.h"
#include "proto/saga/v1/saga_service.pb-c.h"

enum { ANSWER_MS = 1000, SAGAS_MAX = 50 };

/* NULL: no answer. */
static ProtobufCMessage *ask(const char *method, const ProtobufCMessage *request,
			     const ProtobufCMessageDescriptor *answer_type)
{
	ProtobufCMessage *answer;
	struct error err;

	if (rpc_client_call(session_client(&session), method, request, answer_type, ANSWER_MS, &answer, &err) < 0)
		return NULL;
	return answer;
}

void completion_names_offer_definitions(const char *prefix, completion_offer_fn *offer)
{
	Saga__V1__ListDefinitionsRequest request = SAGA__V1__LIST_DEFINITIONS_REQUEST__INIT;
	ProtobufCMessage *answer = ask("/saga.v1.SagaService/ListDefinitions", &request.base,
				       &saga__v1__list_definitions_response__descriptor);
	const Saga__V1__ListDefinitionsResponse *list = (Saga__V1__ListDefinitionsResponse *)answer;

	if (!answer)
		return;
	for (size_t i = 0; i < list->n_definitions; i++)
		offer(prefix, list->definitions[i]->name, strlen(list->definitions[i]->name), "");
	protobuf_c_message_free_unpacked(answer, NULL);
}

void completion_names_offer_sagas(const char *prefix, completion_offer_fn *offer)
{
	Saga__V1__ListSagasRequest request = SAGA__V1__LIST_SAGAS_REQUEST__INIT;
	const Saga__V1__ListSagasResponse *list;
	ProtobufCMessage *answer;

	request.page_size = SAGAS_MAX;
	answer = ask("/saga.v1.SagaService/ListSagas", &request.base, &saga__v1__list_sagas_response__descriptor);
	list = (Saga__V1__ListSagasResponse *)answer;
	for (size_t i = 0; answer && i < list->n_sagas; i++) {
		const Saga__V1__Saga *saga = list->sagas[i];
		char description[160];

		(void)snprintf(description, sizeof(description), "%s %s %s", saga->definition,
			       saga_state_word(saga->state), saga->key);
		offer(prefix, saga->saga_id, strlen(saga->saga_id), description);
	}
	if (answer)
		protobuf_c_message_free_unpacked(answer, NULL);
}
