#include "CPacketSocket.h"
