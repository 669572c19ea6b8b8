/* Faults that need nothing of the token: time, limits, errors, hangs, crashes. */
#ifndef FAULTY_FAULTS_H
#define FAULTY_FAULTS_H

#include "call.h"

/* Whether the fault happens this time; takes one off what is left of it. */
bool dose_taken(struct dose *dose);

/* Crashes or hangs, if that is ordered for the function. Returns when the hang is over. */
void crash_or_hang(enum function function);
/* Whether the call is to fail, and with what. */
bool fails(enum function function, CK_RV *rv);

/* Waits for one of the token's places; false if there is no limit. A place whose process died is taken over. */
bool slot_take(void);
/* Gives back one of this process's places. */
void slot_give(void);

/* Sleeps until the call has lasted as long as the function's latency says, counted from `began_ns`. */
void sleep_latency(enum function function, uint64_t began_ns);

#endif
