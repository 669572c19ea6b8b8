/* The one slot, with the one token. */
#ifndef SIGNET_PKCS11_SLOT_H
#define SIGNET_PKCS11_SLOT_H

#define SIGNET__SLOT 0

#endif
