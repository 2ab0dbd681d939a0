/* pace.c - see pace.h. */
#include "coordinator/engine/pace.h"

/* Of what one turn says of the speed, beside what those before it said. */
static const double NEWS = 0.3;

static size_t bounded(double value, size_t min, size_t max)
{
	if (value < (double)min)
		return min;
	return value < (double)max ? (size_t)value : max;
}

size_t pace_starts(const struct pace *pace, size_t replies)
{
	const size_t events = pace->events_per_s > 0 ? bounded(pace->events_per_s * PACE_TURN_US / 1e6, PACE_EVENTS_MIN,
							       PACE_EVENTS_MAX)
						     : PACE_EVENTS_FIRST;
	const size_t room = replies < events ? events - replies : 0;

	if (room < PACE_STARTS_MIN)
		return PACE_STARTS_MIN;
	return room < PACE_STARTS_MAX ? room : PACE_STARTS_MAX;
}

static void learn(double *per_s, double sample)
{
	*per_s += *per_s > 0 ? NEWS * (sample - *per_s) : sample;
}

void pace_note(struct pace *pace, const struct pace_turn *turn)
{
	const double seconds = (double)(turn->us > 0 ? turn->us : 1) / 1e6;
	const double starts_per_s = (double)turn->starts / seconds;

	if (turn->replies + turn->starts >= PACE_EVENTS_TELLING)
		learn(&pace->events_per_s, (double)(turn->replies + turn->starts) / seconds);
	if (turn->starts > 0 && turn->were_left)
		learn(&pace->starts_per_s, starts_per_s);
	else if (pace->starts_per_s > 0 && starts_per_s > pace->starts_per_s)
		pace->starts_per_s = starts_per_s;
}

size_t pace_waiting_max(const struct pace *pace)
{
	if (pace->starts_per_s == 0)
		return SIZE_MAX;
	return bounded(pace->starts_per_s * PACE_WAIT_US / 1e6, PACE_WAITING_MIN, SIZE_MAX / 2);
}
