"""One file, one alert rule: facts in, problems out."""
