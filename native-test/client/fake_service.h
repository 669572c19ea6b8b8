/*
 * A service for tests: it speaks the socket transport from a thread of its own, signs nothing, and does what the
 * request's message orders. The first word of the message is the order; anything else is answered with a "signature":
 * the first FAKE_SIGNATURE_BYTES of the input.
 *
 *   delay MS          answers after so long
 *   refuse CODE TEXT  answers with an Error
 *   silent            never answers
 *   hold              answers later: all that is held, the last first, when "release" comes
 *   wrong-id          answers an id that nobody asked, then the right one
 *   dribble           answers byte by byte
 *   half              sends half of the answer, then nothing
 *   garbage           sends what an HTTP server might
 *   long, zero        sends a frame length of 65,537 or 0
 *   unknown-body      sends a body that version 1 does not have
 *   empty             sends an empty signature
 *   unknown-field     answers, with a field that this version does not know
 *   close             closes the connection
 *   close-once        closes it at the first sight of an attempt id, and answers the second
 *   close-once-then-silent  the same, but never answers the second
 *   goaway            says GoAway, then answers; the client is the one to close
 *   goaway-close      says GoAway and closes at the first sight of an attempt id, and answers the second
 *   goaway-late-once  says GoAway and answers UNAVAILABLE at the first sight of an attempt id, and answers the second
 *   error-zero CODE   sends an Error with id 0 and closes
 */
#ifndef SIGNET_FAKE_SERVICE_H
#define SIGNET_FAKE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_SIGNATURE_BYTES 64

typedef struct {
    /* In the HelloAck. 0: 1 and 1024. */
    uint32_t version;
    uint32_t in_flight_max;
    /* Answers every request with UNAVAILABLE. */
    bool unavailable;
    /* Turns every connection away at once: Error with id 0, RESOURCE_EXHAUSTED. */
    bool full;
} fake_options;

typedef struct fake_service fake_service;

typedef struct {
    unsigned connections; /* accepted in all */
    unsigned open;        /* now */
    unsigned hellos;
    unsigned requests;
    unsigned cancels;
    uint32_t last_timeout_us;
    unsigned char last_attempt_id[16];
    /* Requests whose attempt id was the one of the request before. */
    unsigned repeated_attempts;
    char agent[65];
} fake_counts;

/* Listens at the path, replacing what is there. Aborts the test if it cannot. */
fake_service *fake_start(const char *path, fake_options options);
/* Closes everything, as a killed process would; the path stays, and refuses. */
void fake_stop(fake_service *service);
/* Says GoAway on every connection and closes those with nothing in flight, as a draining service does. */
void fake_drain(fake_service *service);
fake_counts fake_count(fake_service *service);

#endif
