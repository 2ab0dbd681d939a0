/* interrupt.c - see interrupt.h. */
#include "cli/interrupt.h"

#include <signal.h>
#include <stdlib.h>

#include "lib/base/memory.h"

static volatile sig_atomic_t is_caught;

static void note_signal(int number)
{
	(void)number;
	is_caught = 1;
}

void interrupt_catch(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = note_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART};

	is_caught = 0;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (sigaction(numbers[i], &action, NULL) < 0)
			abort(); /* only wrong arguments fail */
	}
}

bool interrupt_caught(void)
{
	return is_caught;
}
