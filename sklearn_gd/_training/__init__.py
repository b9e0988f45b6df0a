"""How it is minimised: learners, when to stop, what callbacks hear and files hold."""
