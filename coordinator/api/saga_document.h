/* saga_document.h - a saga with its input and its whole log as one line of JSON, as GetSaga's message shows it. */
#ifndef COORDINATOR_API_SAGA_DOCUMENT_H
#define COORDINATOR_API_SAGA_DOCUMENT_H

#include "coordinator/engine/engine.h"

/* Appends it. Fails when the stored input cannot be decoded. */
NODISCARD int saga_document_append(const struct saga_view *view, struct arena *arena, struct buffer *out,
				   struct error *err);

#endif
