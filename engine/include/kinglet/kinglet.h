#pragma once

/// Everything a service links to: open a Model and a HistoryFile, make a Session a thread, score rows or
/// requests.
#include "kinglet/feature_names.h"
#include "kinglet/formats/error.h"
#include "kinglet/formats/history_file.h"
#include "kinglet/formats/row_reader.h"
#include "kinglet/model.h"
#include "kinglet/prepared.h"
#include "kinglet/request.h"
#include "kinglet/session.h"
