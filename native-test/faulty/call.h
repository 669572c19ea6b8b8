/* One call of a PKCS#11 function on its way through the faulty module, and what its parts share within one process. */
#ifndef FAULTY_CALL_H
#define FAULTY_CALL_H

#include "state.h"

struct call {
    enum function function;
    /* From functions.def; 0 or NULL where the function has no such parameter. */
    CK_SESSION_HANDLE session;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE *opened;
    CK_MECHANISM *mechanism;
    CK_OBJECT_HANDLE *in[2];
    CK_OBJECT_HANDLE *found;
    CK_ULONG *found_n;
    unsigned char *data;
    CK_ULONG data_n;
    unsigned char *signature;
    CK_ULONG *signature_n;
    CK_TOKEN_INFO *token_info;
    bool needs_login;

    CK_RV rv;
    bool reached;
    bool holds_slot;
    bool locked;
    uint64_t began_ns; /* CLOCK_MONOTONIC */
    uint64_t token_began_ns;
    uint64_t log_number;
};

/* The real module, and the state; both are set before the first call. */
extern CK_FUNCTION_LIST *real;
extern struct state *state;

uint64_t now_ns(void);

#endif
