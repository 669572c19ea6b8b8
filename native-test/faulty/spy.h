/* The spy log: a ring of the last FAULTY_LOG_CALLS calls in the shared state, written when a call begins and when it
 * returns. */
#ifndef FAULTY_SPY_H
#define FAULTY_SPY_H

#include "call.h"

void spy_begin(struct call *call);
void spy_end(const struct call *call);

#endif
