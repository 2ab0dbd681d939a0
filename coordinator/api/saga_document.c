/* saga_document.c - see saga_document.h. */
#include "coordinator/api/saga_document.h"

#include "coordinator/api/saga_message.h"
#include "lib/rpc/message_json.h"

int saga_document_append(const struct saga_view *view, struct arena *arena, struct buffer *out, struct error *err)
{
	Saga__V1__Saga *message;

	if (saga_message_make(view, true, arena, &message, err) < 0)
		return -1;
	message_json_append(out, &message->base, MESSAGE_JSON_LINE);
	return 0;
}
