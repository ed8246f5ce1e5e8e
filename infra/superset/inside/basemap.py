"""placeholder"""
from flask import Blueprint
basemap = Blueprint("basemap", __name__)
