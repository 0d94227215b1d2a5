"""Why a caller may or may not do something: every layer is asked, and nothing is done."""
