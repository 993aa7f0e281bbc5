"""Networks, their training, and what turns marks and pixels into their inputs. Needs torch; knows no sockets."""
